//! The catalog's entities, refs, locations, relations, kinds, field formats and policies
