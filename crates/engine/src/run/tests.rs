mod containment;
mod locations;
mod memory;
mod stages;
