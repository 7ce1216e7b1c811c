"""The RADIUS door: sockets, packets, authorization, accounting and the client. The only place that imports pyrad."""
