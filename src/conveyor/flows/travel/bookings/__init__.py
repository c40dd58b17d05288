"""Bookings: seats of flights and rooms of hotels, held for a while, booked, or waited for."""
