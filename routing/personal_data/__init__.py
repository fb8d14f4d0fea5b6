"""Where data of people is kept, how one person's is found, exported and erased, and when old data goes."""
