//! What is sent in one of several forms. Each form is described whole and closed, as the server takes it: the description
//! that the types give puts a closed form together with the word that tells it apart, which nothing fits.

use std::collections::BTreeMap;

use utoipa::openapi::{
    OpenApi, RefOr, Schema,
    schema::{AdditionalProperties, Object},
};

/// Closes the forms of everything that is sent in several.
pub(super) fn close(spec: &mut OpenApi, sent: &[&str]) {
    let Some(components) = &mut spec.components else { return };
    let known = components.schemas.clone();
    let mut parts = Vec::new();
    for (_, schema) in components.schemas.iter_mut().filter(|(name, _)| sent.contains(&name.as_str())) {
        let RefOr::T(Schema::OneOf(forms)) = schema else { continue };
        for form in &mut forms.items {
            let mut whole = Object::default();
            gather(form, &known, &mut whole, &mut parts);
            whole.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            *form = whole.into();
        }
    }
    // What was a part of a form, and of nothing else, is described with it.
    let text = spec.to_json().unwrap_or_default();
    let Some(components) = &mut spec.components else { return };
    components.schemas.retain(|name, _| !parts.contains(name) || text.contains(&format!("/schemas/{name}\"")));
}

/// Adds the members of a form, wherever they are described.
fn gather(form: &RefOr<Schema>, known: &BTreeMap<String, RefOr<Schema>>, whole: &mut Object, parts: &mut Vec<String>) {
    match form {
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next().unwrap_or_default();
            if let Some(schema) = known.get(name) {
                parts.push(name.to_owned());
                gather(schema, known, whole, parts);
            }
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter().for_each(|part| gather(part, known, whole, parts)),
        RefOr::T(Schema::Object(part)) => {
            whole.properties.extend(part.properties.clone());
            whole.required.extend(part.required.iter().cloned());
            if whole.description.is_none() {
                whole.description.clone_from(&part.description);
            }
        }
        RefOr::T(_) => {}
    }
}
