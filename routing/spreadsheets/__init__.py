"""Tables as people keep them: CSV and XLSX, written so that no cell becomes a formula, read whatever program wrote them."""
