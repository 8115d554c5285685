//! The ingestion loop: claim, orchestrate, commit, stitch, schedule
