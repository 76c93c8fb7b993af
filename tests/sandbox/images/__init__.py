"""Images on a real Docker engine and a real registry, with skopeo as a witness."""
