"""The publication pack: methods, reporting checklists, provenance and a LaTeX document."""
