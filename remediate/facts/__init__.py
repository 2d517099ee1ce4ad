"""What can be read: the documents that collectors write, and the typed estate that is made from them."""
