//! What a route is, and how one is put together.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::answer::{Answer, JSON};
use super::error::ApiError;
use super::params::Known;
use super::request::Request;
use crate::store::Scope;

/// What is done at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// As HTTP calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

/// An address with a method, and what answers there.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) method: Verb,
    /// With a name in braces for each part that people choose.
    pub(super) path: &'static str,
    /// What it is called in programs that are made of the document.
    pub(super) id: &'static str,
    /// What it does, in a sentence.
    pub(super) does: &'static str,
    /// What may stand behind the `?`; anything where it is read by a page and not here.
    pub(super) params: Option<Known>,
    /// What stands there in an example.
    pub(super) example: &'static str,
    pub(super) body: Option<Body>,
    /// What it answers in, where all goes well.
    pub(super) gives: &'static str,
    /// What that looks like, where it is JSON.
    pub(super) schema: Option<SchemaOf>,
    /// What it answers with where the caller is wrong, beside what every route does.
    pub(super) refusals: &'static [u16],
    /// What can be asked for next, with a part of its answer.
    pub(super) links: &'static [Link],
    pub(super) run: Handler,
    pub(super) work: Work,
    /// What whoever asks must be let in for; none where everybody is.
    pub(super) scope: Option<Scope>,
}

/// A body that a route takes.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// The type of its content. Who names none is believed to send it.
    pub(super) media_types: &'static [&'static str],
    pub(super) most_bytes: usize,
    /// What it looks like, where it is one document of JSON.
    pub(super) schema: Option<SchemaOf>,
    pub(super) example: &'static str,
}

/// A request that follows from an answer.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// The `id` of its route.
    pub(super) to: &'static str,
    /// Its parameter, and where in the answer that stands.
    pub(super) part: &'static str,
    pub(super) from: &'static str,
}

/// What a handler does, and so where it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// It waits for nothing.
    AtOnce,
    /// It reads from the database or asks the model, and is soon done.
    Reading,
    /// It may take long: it looks at the whole library, or at a file on a drive that sleeps.
    Long,
    /// It changes the library.
    Changing,
    /// It is answered however much there is to do.
    Vital,
}

pub(super) type Handler = fn(&Request) -> Result<Answer, ApiError>;

pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a handler answers, as a schema.
pub(super) fn schema_of<T: JsonSchema>(
    _: fn(&Request) -> Result<T, ApiError>,
    generator: &mut SchemaGenerator,
) -> Schema {
    generator.subschema_for::<T>()
}

/// A handler, and what its answer looks like.
pub(super) type Handled = (Handler, Option<SchemaOf>);

/// A route that reads, answered in JSON.
pub(super) const fn get(
    path: &'static str,
    id: &'static str,
    does: &'static str,
    (run, schema): Handled,
) -> Route {
    Route {
        method: Verb::Get,
        path,
        id,
        does,
        params: Some(&[]),
        example: "",
        body: None,
        gives: JSON,
        schema,
        refusals: &[],
        links: &[],
        run,
        work: Work::Reading,
        scope: Some(Scope::Read),
    }
}

/// A route that changes something, answered in JSON.
pub(super) const fn change(
    method: Verb,
    path: &'static str,
    id: &'static str,
    does: &'static str,
    handled: Handled,
) -> Route {
    Route {
        method,
        work: Work::Changing,
        scope: Some(Scope::Label),
        ..get(path, id, does, handled)
    }
}

impl Route {
    /// It takes these behind the `?`, such as in the example.
    pub(super) const fn taking(self, params: Known, example: &'static str) -> Route {
        Route {
            params: Some(params),
            example,
            ..self
        }
    }

    pub(super) const fn with(self, body: Body) -> Route {
        Route {
            body: Some(body),
            ..self
        }
    }

    pub(super) const fn refusing(self, refusals: &'static [u16]) -> Route {
        Route { refusals, ..self }
    }

    pub(super) const fn leading(self, links: &'static [Link]) -> Route {
        Route { links, ..self }
    }

    /// It answers in something else than JSON.
    pub(super) const fn giving(self, gives: &'static str) -> Route {
        Route { gives, ..self }
    }

    pub(super) const fn doing(self, work: Work) -> Route {
        Route { work, ..self }
    }

    pub(super) const fn needing(self, scope: Option<Scope>) -> Route {
        Route { scope, ..self }
    }

    /// A POST that changes nothing.
    pub(super) const fn asking(self) -> Route {
        self.doing(Work::Reading).needing(Some(Scope::Read))
    }

    /// Only the owner asks for it.
    pub(super) const fn for_owner(self) -> Route {
        self.needing(Some(Scope::Admin))
    }

    /// A file that comes with the program, and tells nothing of any library.
    pub(super) const fn part_of_page(self, gives: &'static str) -> Route {
        let route = self.giving(gives).doing(Work::AtOnce).needing(None);
        Route {
            params: None,
            ..route
        }
    }
}

pub(super) const fn json_body<T: JsonSchema>(most_bytes: usize, example: &'static str) -> Body {
    Body {
        media_types: &[JSON],
        most_bytes,
        schema: Some(SchemaGenerator::subschema_for::<T>),
        example,
    }
}
