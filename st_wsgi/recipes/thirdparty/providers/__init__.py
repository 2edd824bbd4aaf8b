"""Providers: what is known of each, what they are asked, and what makes of their replies a user."""
