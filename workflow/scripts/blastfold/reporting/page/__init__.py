"""The results page: one HTML file that concludes; facts from tables, then templates."""
