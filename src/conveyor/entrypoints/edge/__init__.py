"""What stands between the network and the API: what comes in is bounded before anybody looks at it.

`acceptor` takes connections, `protocol` guards each of them, `connections` all of them together,
and `admission` sends requests away that would have to wait too long.
"""
