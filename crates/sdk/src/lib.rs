//! Everything that the author of a Callboard plugin needs
