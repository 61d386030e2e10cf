# schemas/asyncapi.yaml agrees with the Avro schemas, the table of topics and the reader of requests.
exec python3 -B tests/interop/asyncapi.py
