//! An exact YAML 1.2 core loader with limits and source spans
