"""What is shown of an application to photographs: overlays, and the page of its cells."""
