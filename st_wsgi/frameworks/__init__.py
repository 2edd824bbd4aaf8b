"""What single frameworks want beside ``st.wrap(app)``. Each module is imported only by who names it."""
