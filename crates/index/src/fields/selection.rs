//! What was selected, in the order of the request.

/// An object that is put together from parts.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    members: Vec<(&'a str, Part<'a>)>,
}

#[derive(Debug)]
enum Part<'a> {
    /// A value of the entity, as it stands there.
    Whole(&'a str),
    Some(Selection<'a>),
}

impl<'a> Selection<'a> {
    pub(super) fn insert(&mut self, names: &[&'a str], text: &'a str) {
        let Some((name, rest)) = names.split_first() else { return };
        let place = self.members.iter().position(|(other, _)| other == name);
        let place = place.unwrap_or_else(|| {
            self.members.push((name, Part::Some(Self::default())));
            self.members.len() - 1
        });
        let Some((_, part)) = self.members.get_mut(place) else { return };
        match part {
            // What is there as a whole has this in it.
            Part::Whole(_) => {}
            Part::Some(inner) if !rest.is_empty() => inner.insert(rest, text),
            Part::Some(_) => *part = Part::Whole(text),
        }
    }

    pub(super) fn write(&self, json: &mut String) {
        json.push('{');
        for (at, (name, part)) in self.members.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push_str(&serde_json::Value::from(*name).to_string());
            json.push(':');
            match part {
                Part::Whole(text) => json.push_str(text),
                Part::Some(inner) => inner.write(json),
            }
        }
        json.push('}');
    }
}
