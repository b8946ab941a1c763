"""Tables for people, as TSV, LaTeX and Markdown."""
