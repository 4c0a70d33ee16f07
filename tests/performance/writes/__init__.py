"""What single writes cost the API server: a ledger by its length, and those of a pod beside a plain pod's."""
