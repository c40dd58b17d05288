"""Journeys: flights and hotel nights, strictly in the order in which they are asked for."""
