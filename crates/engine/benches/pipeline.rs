//! What the time of an ingestion goes into, apart from the network and the store: parsing a file, taking one entity
//! through the built-in processors, and putting a final entity together.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has nothing to measure")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use callboard_config::Config;
use callboard_engine::{CatalogRules, DryRunEntity, Pipeline, PipelineParts};
use callboard_integrations::Integrations;
use callboard_model::{Body, Entity, FinalParts};
use callboard_processors::{
    DefaultProcessors, FILE_BYTES_MAX, LocalFiles, PlaceholderResolvers, default_processors,
};
use callboard_sdk::{Emit, EntityDataParser, LocationSpec, YamlParser};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const DOCUMENTS: usize = 200;

/// A file with this many typical Components.
fn file(documents: usize) -> String {
    let mut text = String::new();
    for index in 0..documents {
        write!(
            text,
            "---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: service-{index}
  title: Service {index}
  description: Takes the orders of region {index} and hands them to the warehouse
  labels:
    example.com/tier: gold
  annotations:
    github.com/project-slug: example/service-{index}
    example.com/dashboard: https://dashboards.example.com/d/{index}
  tags: [java, orders]
  links:
    - url: https://runbooks.example.com/service-{index}
      title: Runbook
      icon: help
spec:
  type: service
  lifecycle: production
  owner: team-{team}
  system: shop
  providesApis: [api-{index}]
  consumesApis: [api-1, api-2]
  dependsOn: ['resource:database-{index}', 'component:service-1']
",
            team = index % 20
        )
        .unwrap();
    }
    text
}

/// An entity as the store has it before it is processed.
fn unprocessed() -> Entity {
    let location = LocationSpec::new("url", "https://example.com/catalog-info.yaml");
    let text = file(1);
    let emitted = YamlParser::default().parse(text.as_bytes(), &location).next();
    let Some(Emit::Entity { mut entity, .. }) = emitted else {
        return Entity::default();
    };
    for annotation in ["backstage.io/managed-by-location", "backstage.io/managed-by-origin-location"] {
        entity.set_annotation(annotation, "url:https://example.com/catalog-info.yaml");
    }
    entity
}

/// The pipeline of an empty configuration.
fn pipeline() -> Pipeline {
    let integrations = Integrations::from_config(&Config::empty()).unwrap();
    let rules = CatalogRules::parse(None, &[], Path::new("/")).unwrap();
    let mut parts = PipelineParts::new(Arc::new(rules), Arc::clone(&integrations.scm));
    parts.processors = default_processors(DefaultProcessors {
        reader: integrations.reader,
        scm: integrations.scm,
        resolvers: PlaceholderResolvers::builtin(&LocalFiles::default()),
        file_bytes_max: FILE_BYTES_MAX,
        is_builtin_kinds_replaced: false,
        is_default_disabled: false,
    });
    Pipeline::new(parts)
}

fn parse(c: &mut Criterion) {
    let text = file(DOCUMENTS);
    let location = LocationSpec::new("url", "https://example.com/catalog-info.yaml");
    let parser = YamlParser::default();
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("200 documents", |b| {
        b.iter(|| parser.parse(black_box(text.as_bytes()), &location).map(black_box).count());
    });
    group.finish();
}

fn orchestrate(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pipeline = Arc::new(pipeline());
    let entity = unprocessed();
    let mut group = c.benchmark_group("orchestrate");
    group.throughput(Throughput::Elements(1));
    group.bench_function("component", |b| {
        b.iter_batched(
            || vec![DryRunEntity { entity: entity.clone(), position: None }],
            |entities| {
                let walk = pipeline.walk(entities, |item| {
                    assert!(item.result.is_ok(), "{item:?}");
                    true
                });
                runtime.block_on(walk).unwrap();
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn stitch(c: &mut Criterion) {
    let body = Body::from_processed(unprocessed());
    let relations = [
        ("consumesApi", "api:default/api-1"),
        ("consumesApi", "api:default/api-2"),
        ("dependsOn", "component:default/service-1"),
        ("dependsOn", "resource:default/database-0"),
        ("ownedBy", "group:default/team-0"),
        ("partOf", "system:default/shop"),
        ("providesApi", "api:default/api-0"),
    ];
    let parts = FinalParts {
        body: body.as_body_ref(),
        uid: "0190a1b2-0000-7000-8000-000000000001",
        relations: &relations,
        errors: &[],
        is_orphan: false,
    };
    let mut group = c.benchmark_group("stitch");
    group.throughput(Throughput::Elements(1));
    group.bench_function("component", |b| b.iter(|| black_box(&parts).finish()));
    group.finish();
}

criterion_group!(benches, parse, orchestrate, stitch);
criterion_main!(benches);
