"""The pages of references/ that are made from the catalog: each module writes one, `build` all of them."""
