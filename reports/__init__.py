"""What users see: the command line, tables, figures, studies."""
