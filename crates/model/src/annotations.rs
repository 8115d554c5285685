//! Names of the annotations that the catalog itself reads or writes.

/// The location that the entity was read from, as `<type>:<target>`.
pub const MANAGED_BY_LOCATION: &str = "backstage.io/managed-by-location";
/// The location that was registered in the first place, and led to the entity.
pub const MANAGED_BY_ORIGIN_LOCATION: &str = "backstage.io/managed-by-origin-location";
/// Where the source code of the entity is, as `<type>:<target>`.
pub const SOURCE_LOCATION: &str = "backstage.io/source-location";
/// A page on which people can view the entity's file.
pub const VIEW_URL: &str = "backstage.io/view-url";
/// A page on which people can edit the entity's file.
pub const EDIT_URL: &str = "backstage.io/edit-url";
/// `"true"` on an entity that no provider and no other entity refers to any more.
pub const ORPHAN: &str = "backstage.io/orphan";
