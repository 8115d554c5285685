//! Builds the JSON value of one document from parser events, within limits.
//!
//! Nothing here recurses: open collections are a stack of frames. Copies made for anchors and aliases count against
//! the same budget as the text itself, so a document cannot grow beyond its limits by repetition.

use std::collections::HashMap;

use saphyr_parser::{Event, Span, Tag};
use serde_json::{Map, Value, map::Entry};

use crate::error::{Position, YamlError};
use crate::key::{key_of, source_text};
use crate::scalar::{Scalar, Version, core_tag};
use crate::spans::Trace;
use crate::{Limits, stream::position_of};

/// Beyond this depth dropping a value could overflow the stack of a small thread.
const DEPTH_MAX: usize = 1_024;

/// What a value costs: its nodes and bytes, and how many collections stand inside each other in it.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    bytes: usize,
    height: usize,
}

#[derive(Debug)]
enum Content {
    Sequence(Vec<Value>),
    Mapping { entries: Map<String, Value>, key: Option<PendingKey> },
}

#[derive(Debug)]
struct PendingKey {
    text: String,
    position: Position,
}

#[derive(Debug)]
struct Frame {
    content: Content,
    anchor: usize,
    is_opaque: bool,
    is_in_key: bool,
    position: Position,
    /// The document's cost when this collection began.
    before: Cost,
    height: usize,
}

#[derive(Debug)]
struct Anchored {
    value: Value,
    cost: Cost,
}

/// The state of one document. [`Loader::event`] returns the value with the event that completes it.
#[derive(Debug)]
pub(crate) struct Loader<T> {
    limits: Limits,
    version: Version,
    line_base: usize,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    spent: Cost,
    pub(crate) trace: T,
}

impl<T: Trace> Loader<T> {
    pub(crate) fn new(limits: Limits, version: Version, line_base: usize) -> Self {
        Self {
            limits,
            version,
            line_base,
            frames: Vec::new(),
            anchors: HashMap::new(),
            spent: Cost::default(),
            trace: T::default(),
        }
    }

    pub(crate) fn event(&mut self, event: Event<'_>, span: Span) -> Result<Option<Value>, YamlError> {
        let position = position_of(&span.start, self.line_base);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(1, text.len(), position)?;
                let scalar = if anchor == 0 && self.frames.last().is_some_and(|frame| frame.is_in_key) {
                    Scalar::Text(source_text(&text, style).into())
                } else {
                    Scalar::resolve(text, style, tag.as_deref(), self.version)
                };
                self.scalar(scalar, anchor, position)
            }
            Event::Alias(id) => self.alias(id, position),
            Event::SequenceStart(anchor, tag) => {
                let is_opaque = has_core_tag(tag.as_deref(), "omap");
                self.open(Content::Sequence(Vec::new()), anchor, is_opaque, position)
            }
            Event::MappingStart(anchor, tag) => {
                let is_opaque = has_core_tag(tag.as_deref(), "set");
                self.open(Content::Mapping { entries: Map::new(), key: None }, anchor, is_opaque, position)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(None),
        }
    }

    fn scalar(
        &mut self,
        scalar: Scalar<'_>,
        anchor: usize,
        position: Position,
    ) -> Result<Option<Value>, YamlError> {
        if let Scalar::Binary(bytes) = &scalar {
            self.spend(bytes.len(), 0, position)?;
        }
        if anchor == 0 && self.expects_key() {
            self.key(scalar.into_key(), position);
            return Ok(None);
        }
        self.enter(position);
        let cost = match &scalar {
            Scalar::Text(text) => Cost { nodes: 1, bytes: text.len(), height: 0 },
            Scalar::Binary(bytes) => Cost { nodes: bytes.len() + 1, bytes: 0, height: 2 },
            _ => Cost { nodes: 1, bytes: 0, height: 0 },
        };
        let value = scalar.into_value();
        self.remember(anchor, &value, cost, position)?;
        self.place(value, 0, position)
    }

    fn alias(&mut self, id: usize, position: Position) -> Result<Option<Value>, YamlError> {
        let Some(Anchored { cost, .. }) = self.anchors.get(&id) else {
            let message = if self.frames.iter().any(|frame| frame.anchor == id) {
                "An alias may not refer to a collection that contains it"
            } else {
                "Unresolved alias (the anchor must be set before the alias)"
            };
            return Err(YamlError::new(message, position));
        };
        let cost = *cost;
        self.check_depth(cost.height, position)?;
        self.spend(cost.nodes, cost.bytes, position)?;
        self.enter(position);
        let value = self.anchors.get(&id).map_or(Value::Null, |anchored| anchored.value.clone());
        self.place(value, cost.height, position)
    }

    fn open(
        &mut self,
        content: Content,
        anchor: usize,
        is_opaque: bool,
        position: Position,
    ) -> Result<Option<Value>, YamlError> {
        self.check_depth(1, position)?;
        let before = self.spent;
        self.spend(1, 0, position)?;
        self.enter(position);
        let is_in_key = self.is_in_key();
        self.frames.push(Frame { content, anchor, is_opaque, is_in_key, position, before, height: 0 });
        Ok(None)
    }

    fn close(&mut self) -> Result<Option<Value>, YamlError> {
        let Some(frame) = self.frames.pop() else {
            return Ok(None);
        };
        // JSON.stringify writes JavaScript's Set and Map, which `!!set` and `!!omap` are there, as empty objects.
        let value = match frame.content {
            _ if frame.is_opaque => Value::Object(Map::new()),
            Content::Sequence(items) => Value::Array(items),
            Content::Mapping { entries, .. } => Value::Object(entries),
        };
        let height = frame.height + 1;
        let cost = Cost {
            nodes: self.spent.nodes - frame.before.nodes,
            bytes: self.spent.bytes - frame.before.bytes,
            height,
        };
        self.remember(frame.anchor, &value, cost, frame.position)?;
        self.place(value, height, frame.position)
    }

    /// Hands a complete value to the collection around it, or out if there is none.
    fn place(&mut self, value: Value, height: usize, position: Position) -> Result<Option<Value>, YamlError> {
        if self.expects_key() {
            let text = key_of(value);
            self.spend(0, text.len(), position)?;
            self.key(text, position);
            return Ok(None);
        }
        let Some(frame) = self.frames.last_mut() else {
            return Ok(Some(value));
        };
        frame.height = frame.height.max(height);
        let is_in_key = frame.is_in_key;
        match &mut frame.content {
            Content::Sequence(items) => items.push(value),
            Content::Mapping { entries, key } => {
                if let Some(PendingKey { text, position }) = key.take() {
                    match entries.entry(text) {
                        Entry::Vacant(vacant) => {
                            vacant.insert(value);
                        }
                        Entry::Occupied(_) => {
                            return Err(YamlError::new("Map keys must be unique", position));
                        }
                    }
                }
            }
        }
        if !is_in_key {
            self.trace.leave();
        }
        Ok(None)
    }

    fn key(&mut self, text: String, position: Position) {
        let Some(Frame { content: Content::Mapping { key, .. }, is_in_key, .. }) = self.frames.last_mut()
        else {
            return;
        };
        if !*is_in_key {
            self.trace.enter_key(&text, position);
        }
        *key = Some(PendingKey { text, position });
    }

    fn expects_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { content: Content::Mapping { key: None, .. }, .. }))
    }

    /// Whether a value that begins now is a key, or a part of one: such values have no pointer.
    fn is_in_key(&self) -> bool {
        self.expects_key() || self.frames.last().is_some_and(|frame| frame.is_in_key)
    }

    /// Tells the trace that a value begins.
    fn enter(&mut self, position: Position) {
        if self.is_in_key() {
            return;
        }
        if let Some(Frame { content: Content::Sequence(items), .. }) = self.frames.last() {
            self.trace.enter_index(items.len());
        }
        self.trace.value(position);
    }

    fn remember(
        &mut self,
        anchor: usize,
        value: &Value,
        cost: Cost,
        position: Position,
    ) -> Result<(), YamlError> {
        if anchor != 0 {
            self.spend(cost.nodes, cost.bytes, position)?;
            self.anchors.insert(anchor, Anchored { value: value.clone(), cost });
        }
        Ok(())
    }

    fn check_depth(&self, height: usize, position: Position) -> Result<(), YamlError> {
        let depth_max = self.limits.depth_max.min(DEPTH_MAX);
        if self.frames.len() + height > depth_max {
            return Err(YamlError::new(
                format!("Document is nested more than {depth_max} levels deep"),
                position,
            ));
        }
        Ok(())
    }

    fn spend(&mut self, nodes: usize, bytes: usize, position: Position) -> Result<(), YamlError> {
        self.spent.nodes = self.spent.nodes.saturating_add(nodes);
        self.spent.bytes = self.spent.bytes.saturating_add(bytes);
        let Limits { nodes_max, bytes_max, .. } = self.limits;
        if self.spent.nodes > nodes_max {
            let message = format!("Document has more than {nodes_max} nodes, aliases expanded");
            return Err(YamlError::new(message, position));
        }
        if self.spent.bytes > bytes_max {
            let message = format!("Document has more than {bytes_max} bytes, aliases expanded");
            return Err(YamlError::new(message, position));
        }
        Ok(())
    }
}

fn has_core_tag(tag: Option<&Tag>, name: &str) -> bool {
    tag.and_then(core_tag).is_some_and(|core| core == name)
}
