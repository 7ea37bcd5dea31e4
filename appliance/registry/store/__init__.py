"""The store on this box' disk: blobs by digest, releases as hard links, pointers, the journal."""
