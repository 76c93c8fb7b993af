"""The whole story of a release, on fakes and in virtual time."""
