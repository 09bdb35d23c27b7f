"""Contract bindings, events, signing, transactions and the local dev chain. Importing it loads none of them."""
