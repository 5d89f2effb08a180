"""Delivering runs over HTTP and accounting for every one: the shell with clock and sockets."""
