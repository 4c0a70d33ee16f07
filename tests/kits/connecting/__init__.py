"""What a client meets on its way to an API server: authorities, proxies, programs that log in."""
