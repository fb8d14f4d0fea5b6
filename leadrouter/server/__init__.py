"""The web server: takes a request in whole before a thread is taken for it, and an answer in whole before it is sent.

    python -m leadrouter.server --host 127.0.0.1 --port 8000 --workers 2 --threads 4

`master` opens the port and keeps the processes running; a `worker` has one loop, which reads and writes all connections,
and a few threads, which run the program; `connection` is the HTTP of one client; `messages` are what goes to and from a
thread; `limits` says how slow and how many clients may be. See docs/decisions/0016-a-server-that-reads-first.md.
"""
