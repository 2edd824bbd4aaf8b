"""What other packages call the user, from the session: one module for each package. Nothing else imports them."""
