# What docs/kafka.md and deployment/kafka say of topics and rights is what the program says.
exec python3 -B tests/interop/kafka_files.py check
