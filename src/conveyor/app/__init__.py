"""Composition: settings become a running system; audit, explain and replay look at it whole."""
