"""One module a report: a question in, tables and charts out."""
