"""The API for tills, hotel and campsite systems: its operations, and the document that describes them."""
