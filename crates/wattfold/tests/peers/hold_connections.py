"""Opens many TCP connections to one address and holds them.

    hold_connections.py PORT COUNT [HEX]
    hold_connections.py PORT COUNT --tls CHAIN KEY [CHAIN KEY ...]

Sends the bytes HEX over each, or completes a TLS handshake, with each certificate in turn. Then says
`open N` and obeys lines on standard input: `count` says how many the server has not closed. Ends with
standard input.
"""

import itertools
import resource
import select
import socket
import ssl
import sys

SPARE_FILES = 64


def raise_limit(count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        sys.exit(f"{count} connections need {wanted} open files, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def tls(chain, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    context.load_cert_chain(chain, key)
    return context


def connect(port, first, context):
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    if context is not None:
        return context.wrap_socket(stream)
    if first:
        stream.sendall(first)
    return stream


def still_open(streams):
    """Nothing is to be read from a connection that the server has not closed."""
    poll = select.poll()
    for stream in streams:
        poll.register(stream, select.POLLIN | select.POLLHUP)
    return len(streams) - len(poll.poll(0))


def main(port, count, *rest):
    raise_limit(int(count))
    is_tls = rest[:1] == ("--tls",)
    contexts = [tls(*pair) for pair in zip(rest[1::2], rest[2::2])] if is_tls else [None]
    first = bytes.fromhex(rest[0]) if rest and not is_tls else b""
    streams = []
    for context in itertools.islice(itertools.cycle(contexts), int(count)):
        try:
            streams.append(connect(int(port), first, context))
        except OSError:
            break
    print(f"open {len(streams)}", flush=True)
    for line in sys.stdin:
        if line.strip() == "count":
            print(still_open(streams), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
