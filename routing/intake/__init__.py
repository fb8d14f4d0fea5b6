"""What was sent, brought into one form: texts that can be kept, and the keys by which people and companies are known."""
