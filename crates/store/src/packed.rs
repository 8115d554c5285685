//! Compressed texts.

use callboard_model::{Body, Digest};

use crate::StoreError;

/// A processed entity's body as stores keep it. Whoever processes makes it, in parallel: a store writes one batch after
/// the other.
#[derive(Debug, Clone)]
pub struct PackedBody {
    pub(crate) digest: Digest,
    pub(crate) json: Vec<u8>,
    pub(crate) metadata_end: u32,
    pub(crate) annotations_end: u32,
    pub(crate) own_etag: bool,
    pub(crate) status: Option<String>,
}

impl PackedBody {
    /// Packs a body.
    pub fn new(body: Body) -> Self {
        let Body { ref json, metadata_end, annotations_end, own_etag, status } = body;
        Self { digest: Digest::of(json), json: pack(json), metadata_end, annotations_end, own_etag, status }
    }

    /// How much memory its texts take.
    pub fn bytes(&self) -> usize {
        self.json.len() + self.status.as_deref().map_or(0, str::len)
    }
}

/// What entities have in common, which no entity repeats often enough to be packed well by itself. Stores are full of texts
/// that cannot be unpacked without exactly these bytes: they never change.
const COMMON: &[u8] = concat!(
    r#""status":{"items":[{"type":"backstage.io/catalog-processing","level":"error","message":"","error":{"name":""#,
    r#""presence":"optional","targets":["./"],"target":"","type":"url","spec":{"type":"website","lifecycle":"experimental","#,
    r#""lifecycle":"deprecated","memberOf":["group:default/"],"children":[],"parent":"group:default/","#,
    r#""profile":{"displayName":"","email":"@example.com","picture":"https://"},"definition":"openapi: 3.0.0\ninfo:\n  title: "#,
    r#""subcomponentOf":"component:default/","dependencyOf":["component:default/"],"dependsOn":["resource:default/"],"#,
    r#""consumesApis":["api:default/"],"providesApis":["api:default/"],"subdomainOf":"domain:default/","domain":"","#,
    r#""system":"system:default/","owner":"user:default/","owner":"group:default/","type":"openapi","type":"library","#,
    r#""type":"service","lifecycle":"production"},"links":[{"url":"https://","title":"Dashboard","icon":"dashboard","type":""}],"#,
    r#"{"type":"apiConsumedBy","targetRef":"component:default/"},{"type":"apiProvidedBy","targetRef":"component:default/"},"#,
    r#"{"type":"childOf","targetRef":"group:default/"},{"type":"parentOf","targetRef":"group:default/"},"#,
    r#"{"type":"hasMember","targetRef":"user:default/"},{"type":"memberOf","targetRef":"group:default/"},"#,
    r#"{"type":"consumesApi","targetRef":"api:default/"},{"type":"providesApi","targetRef":"api:default/"},"#,
    r#"{"type":"dependencyOf","targetRef":"component:default/"},{"type":"dependsOn","targetRef":"resource:default/"},"#,
    r#"{"type":"hasPart","targetRef":"component:default/"},{"type":"partOf","targetRef":"system:default/"},"#,
    r#"{"type":"ownerOf","targetRef":"component:default/"},{"type":"ownedBy","targetRef":"group:default/"},"#,
    r#""tags":["java","python","go"],"labels":{},"annotations":{"backstage.io/orphan":"true","github.com/team-slug":"","#,
    r#""jenkins.io/job-full-name":"","pagerduty.com/service-id":"","pagerduty.com/integration-key":"","sentry.io/project-slug":"","#,
    r#""sonarqube.org/project-key":"","backstage.io/kubernetes-id":"","backstage.io/kubernetes-namespace":"","#,
    r#""backstage.io/kubernetes-label-selector":"","prometheus.io/rule":"","prometheus.io/alert":"","argocd/app-name":"","#,
    r#""jira/project-key":"","grafana/dashboard-selector":"","opsgenie.com/team":"","snyk.io/org-name":"","#,
    r#""gitlab.com/project-slug":"","backstage.io/techdocs-ref":"dir:.","github.com/project-slug":"","#,
    r#""backstage.io/view-url":"https://github.com/","backstage.io/edit-url":"https://github.com/","#,
    r#""backstage.io/source-location":"url:https://github.com/","backstage.io/managed-by-origin-location":"file:/","#,
    r#""backstage.io/managed-by-location":"file:/","backstage.io/managed-by-origin-location":"url:https://github.com/","#,
    r#""backstage.io/managed-by-location":"url:https://github.com//tree/main/catalog-info.yaml"},"#,
    r#"{"apiVersion":"scaffolder.backstage.io/v1beta3","kind":"Template","kind":"Location","kind":"User","kind":"Group","#,
    r#""kind":"Domain","kind":"Resource","kind":"System","kind":"API","#,
    r#"{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"namespace":"default","name":"","title":"","#,
    r#""description":"This "#,
)
.as_bytes();

/// Compresses a text. LZ4 takes more than half of an entity away with what entities have in common, costs less than
/// writing that would, and is far cheaper to undo than anything that packs better.
pub(crate) fn pack(text: &str) -> Vec<u8> {
    lz4_flex::block::compress_prepend_size_with_dict(text.as_bytes(), COMMON)
}

pub(crate) fn unpack(bytes: &[u8]) -> Result<String, StoreError> {
    let bytes = lz4_flex::block::decompress_size_prepended_with_dict(bytes, COMMON)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| StoreError::Inconsistent(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back() {
        assert_eq!(unpack(&pack("ä\"b")).unwrap(), "ä\"b");
    }

    #[test]
    fn what_entities_have_in_common_takes_no_room() {
        let text = r#"{"apiVersion":"backstage.io/v1alpha1","kind":"Component","metadata":{"namespace":"default","name":"a"}}"#;
        assert!(pack(text).len() < 40, "{}", pack(text).len());
        assert_eq!(unpack(&pack(text)).unwrap(), text);
    }

    #[test]
    fn a_text_that_was_packed_by_itself_comes_back() {
        let text = "abc".repeat(100);
        assert_eq!(unpack(&lz4_flex::block::compress_prepend_size(text.as_bytes())).unwrap(), text);
    }

    #[test]
    fn damaged_packs_are_errors() {
        assert!(matches!(unpack(&[1, 2]), Err(StoreError::Inconsistent(_))));
    }
}
