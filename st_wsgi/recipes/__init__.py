"""The recipes: one package for each thing that an app can offer."""
