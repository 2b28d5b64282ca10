"""Where weights are: local files, the web, buckets, the Hugging Face Hub."""
