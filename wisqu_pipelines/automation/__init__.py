"""What happens along the promotion paths without anybody at the keyboard: previews, requests, and CI's results."""
