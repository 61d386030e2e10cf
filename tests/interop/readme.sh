# README.md says what happens: its commands are run, and what they print must look as it says there. Its
# snippets are parts of the clients in docs/clients, byte for byte.
exec python3 -B tests/interop/readme.py check
