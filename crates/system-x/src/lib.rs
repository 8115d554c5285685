//! A processor plugin for the fictional System-X
