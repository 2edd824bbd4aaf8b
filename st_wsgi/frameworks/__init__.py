"""One module for each framework that needs more than ``st.wrap(app)``. Nothing else imports them."""
