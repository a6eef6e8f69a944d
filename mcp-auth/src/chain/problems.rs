//! What is wrong with a chain: authenticators that would never be asked above all.

use http::Request;
use http::header::{AUTHORIZATION, COOKIE};

use super::{Auth, Link};
use crate::authenticate::{Credential, Place};
use crate::is_scope_token;
use crate::resource::SET_IT;

impl Auth {
    /// What is wrong with the configuration, over all authenticators.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        if self.links.is_empty() {
            return vec!["the authentication chain is empty, so it would accept nobody: add one with `.with(..)`".to_owned()];
        }
        let mut problems: Vec<_> =
            self.links.iter().flat_map(|link| link.authenticator.problems(self.resource.as_ref())).collect();
        problems.extend(self.behind_who_takes_all());
        for (at, link) in self.links.iter().enumerate() {
            let earlier = &self.links[..at];
            problems.extend(link.places.iter().filter_map(|place| taken(place, earlier)));
            problems.extend(self.owned(link, earlier));
        }
        problems.extend(self.links.iter().flat_map(|link| &link.places).filter_map(misplaced));
        let cookies = self.links.iter().any(|link| link.places.iter().any(|place| matches!(place, Place::Cookie(_))));
        if cookies && self.resource.is_none() {
            problems.push(format!("a session counts only for pages of this site, which is not known: {SET_IT}"));
        }
        let wrong = self.scopes.iter().filter(|scope| !is_scope_token(scope));
        problems.extend(wrong.map(|scope| format!("`{scope}` is no scope: one word, without quotes and backslashes")));
        problems.extend(self.damper.iter().flat_map(|damper| damper.problems()));
        problems
    }

    fn behind_who_takes_all(&self) -> Option<String> {
        let mut readers = self.links.iter().filter(|link| link.is_at(&Place::Bearer) || link.is_at(&Place::AnyBearer));
        readers.find(|link| link.is_at(&Place::AnyBearer))?;
        readers.next()?;
        Some(
            "an authenticator of all bearer tokens (`Introspection`, `GoogleTokens`, `DjangoOAuth`, or what reads at `Place::AnyBearer`) stands before another that reads bearer tokens, which would never be asked: put it last, and have but one"
                .to_owned(),
        )
    }

    /// The bearer tokens of an authenticator that an earlier one owns.
    fn owned(&self, link: &Link, earlier: &[Link]) -> Vec<String> {
        let (head, ()) = Request::new(()).into_parts();
        let mut looks = link.authenticator.looks();
        looks.retain(|look| {
            let example = look.example();
            let credential = Credential::new(&example);
            let token = self.present(&credential, &head, (self.clock)());
            earlier.iter().any(|earlier| earlier.is_at(&Place::Bearer) && earlier.authenticator.owns(token))
        });
        let told = |look| format!("two authenticators own {look}: the second would never be asked, so have only one that does");
        looks.iter().map(told).collect()
    }
}

/// A place that an earlier authenticator reads.
fn taken(place: &Place, earlier: &[Link]) -> Option<String> {
    let what = match place {
        Place::Header(name) => format!("the header `{name}`"),
        Place::Scheme(scheme) => format!("the scheme `{scheme}`"),
        Place::Cookie(name) => format!("the cookie `{name}`"),
        Place::Bearer | Place::AnyBearer | Place::Anywhere => return None,
    };
    let is_it = |other: &Place| match (other, place) {
        (Place::Scheme(other), Place::Scheme(scheme)) => other.eq_ignore_ascii_case(scheme),
        _ => other == place,
    };
    let is_taken = earlier.iter().flat_map(|link| &link.places).any(is_it);
    is_taken.then(|| format!("two authenticators read {what}: the second would never be asked"))
}

/// A place where no credential would be found, or not by its rules.
fn misplaced(place: &Place) -> Option<String> {
    match place {
        // Read as any header, cookies would count on requests of any site's pages.
        Place::Header(name) if *name == COOKIE || *name == AUTHORIZATION => {
            Some(format!("`{name}` is no header of one authenticator's own: it has places that know its rules"))
        }
        Place::Scheme(scheme) if scheme.eq_ignore_ascii_case("bearer") => Some(format!(
            "the scheme `{scheme}` has places of its own, and would never be read at this one: use `Place::AnyBearer`, or `Place::Bearer` with `owns`"
        )),
        Place::Scheme(scheme) if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_graphic()) => {
            Some(format!("`{scheme}` is no scheme of `authorization`, and would never be read: one word is needed"))
        }
        _ => None,
    }
}
