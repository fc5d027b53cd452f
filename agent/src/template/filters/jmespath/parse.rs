//! Tokens to an expression, by how tightly each token binds.

use super::Ast;
use super::lex::{Token, tokens};

pub(super) fn parse(text: &str) -> Result<Ast, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let parsed = parser.expression(0)?;
    match parser.peek() {
        None => Ok(parsed),
        Some(token) => Err(format!("unexpected {token:?}")),
    }
}

/// Expressions nest this deep at most.
const MAX_DEPTH: usize = 100;
/// Below this, a projection ends.
const PROJECTION_END: u8 = 10;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// How tightly a token binds what is left of it.
fn power(token: &Token) -> u8 {
    match token {
        Token::Pipe => 1,
        Token::Or => 2,
        Token::And => 3,
        Token::Compare(_) => 5,
        Token::Flatten => 9,
        Token::Star => 20,
        Token::Filter => 21,
        Token::Dot => 40,
        Token::Not => 45,
        Token::LBrace => 50,
        Token::LBracket => 55,
        Token::LParen => 60,
        _ => 0,
    }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, token: &Token) -> Result<(), String> {
        match self.take(token) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("{token:?}"))),
        }
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.peek() {
            Some(token) => format!("expected {wanted}, got {token:?}"),
            None => format!("expected {wanted}, got the end"),
        }
    }

    fn expression(&mut self, binding: u8) -> Result<Ast, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deep".into());
        }
        let mut left = self.prefix()?;
        while let Some(token) = self.peek()
            && binding < power(token)
        {
            left = self.infix(left)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Ast, String> {
        let Some(token) = self.peek().cloned() else {
            return Err("the expression is incomplete".into());
        };
        self.at += 1;
        Ok(match token {
            Token::Literal(value) => Ast::Literal(value),
            Token::Name(name, _) => Ast::Field(name),
            Token::Current => Ast::Current,
            Token::Not => Ast::Not(Box::new(self.expression(45)?)),
            Token::Reference => Ast::Reference(Box::new(self.expression(0)?)),
            Token::Star => {
                let right = self.projected(20)?;
                Ast::Values(Box::new(Ast::Current), Box::new(right))
            }
            Token::Filter => self.filter(Ast::Current)?,
            Token::Flatten => {
                let right = self.projected(9)?;
                Ast::Project(
                    Box::new(Ast::Flatten(Box::new(Ast::Current))),
                    Box::new(right),
                )
            }
            Token::LBrace => self.map()?,
            Token::LParen => {
                let inner = self.expression(0)?;
                self.need(&Token::RParen)?;
                inner
            }
            Token::LBracket => match self.peek() {
                Some(Token::Number(_) | Token::Colon) => self.index(Ast::Current)?,
                Some(Token::Star) if self.tokens.get(self.at + 1) == Some(&Token::RBracket) => {
                    self.at += 2;
                    let right = self.projected(20)?;
                    Ast::Project(Box::new(Ast::Current), Box::new(right))
                }
                _ => self.list()?,
            },
            other => return Err(format!("unexpected {other:?}")),
        })
    }

    fn infix(&mut self, left: Ast) -> Result<Ast, String> {
        let Some(token) = self.peek().cloned() else {
            return Ok(left);
        };
        self.at += 1;
        let boxed = Box::new(left);
        Ok(match token {
            Token::Dot if self.take(&Token::Star) => {
                let right = self.projected(20)?;
                Ast::Values(boxed, Box::new(right))
            }
            Token::Dot => Ast::Then(boxed, Box::new(self.after_dot(40)?)),
            Token::Pipe => Ast::Then(boxed, Box::new(self.expression(1)?)),
            Token::Or => Ast::Or(boxed, Box::new(self.expression(2)?)),
            Token::And => Ast::And(boxed, Box::new(self.expression(3)?)),
            Token::Compare(op) => Ast::Compare(op, boxed, Box::new(self.expression(5)?)),
            Token::Flatten => {
                let right = self.projected(9)?;
                Ast::Project(Box::new(Ast::Flatten(boxed)), Box::new(right))
            }
            Token::Filter => self.filter(*boxed)?,
            Token::LParen => match *boxed {
                Ast::Field(name) => self.call(name)?,
                _ => return Err("only a name can be called".into()),
            },
            Token::LBracket => match self.peek() {
                Some(Token::Number(_) | Token::Colon) => self.index(*boxed)?,
                _ => {
                    self.need(&Token::Star)?;
                    self.need(&Token::RBracket)?;
                    let right = self.projected(20)?;
                    Ast::Project(boxed, Box::new(right))
                }
            },
            other => return Err(format!("unexpected {other:?}")),
        })
    }

    /// What is applied to each item of a projection.
    fn projected(&mut self, binding: u8) -> Result<Ast, String> {
        match self.peek() {
            Some(token) if power(token) < PROJECTION_END => Ok(Ast::Current),
            None => Ok(Ast::Current),
            Some(Token::LBracket | Token::Filter) => self.expression(binding),
            Some(Token::Dot) => {
                self.at += 1;
                self.after_dot(binding)
            }
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }

    fn after_dot(&mut self, binding: u8) -> Result<Ast, String> {
        match self.peek() {
            Some(Token::Name(..) | Token::Star) => self.expression(binding),
            Some(Token::LBracket) => {
                self.at += 1;
                self.list()
            }
            Some(Token::LBrace) => {
                self.at += 1;
                self.map()
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    fn filter(&mut self, left: Ast) -> Result<Ast, String> {
        let test = self.expression(0)?;
        self.need(&Token::RBracket)?;
        let right = match self.peek() {
            Some(Token::Flatten) => Ast::Current,
            _ => self.projected(21)?,
        };
        Ok(Ast::Filter(Box::new(left), Box::new(right), Box::new(test)))
    }

    /// `[3]` or `[1:5:2]`, after the bracket.
    fn index(&mut self, left: Ast) -> Result<Ast, String> {
        let left = Box::new(left);
        let mut parts = [None; 3];
        let mut part = 0;
        loop {
            match self.peek().cloned() {
                Some(Token::Number(n)) if parts[part].is_none() => parts[part] = Some(n),
                Some(Token::Colon) if part < 2 => part += 1,
                Some(Token::RBracket) => break,
                _ => return Err(self.unexpected("a number, `:` or `]`")),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(match (part, parts[0]) {
            (0, Some(index)) => Ast::Then(left, Box::new(Ast::Index(index))),
            (0, None) => return Err("an index is empty".into()),
            _ => {
                let sliced = Ast::Then(left, Box::new(Ast::Slice(parts)));
                let right = self.projected(20)?;
                Ast::Project(Box::new(sliced), Box::new(right))
            }
        })
    }

    fn list(&mut self) -> Result<Ast, String> {
        let mut items = Vec::new();
        loop {
            items.push(self.expression(0)?);
            if self.take(&Token::RBracket) {
                return Ok(Ast::List(items));
            }
            self.need(&Token::Comma)?;
        }
    }

    fn map(&mut self) -> Result<Ast, String> {
        let mut pairs = Vec::new();
        loop {
            let Some(Token::Name(name, _)) = self.peek().cloned() else {
                return Err(self.unexpected("a key"));
            };
            self.at += 1;
            self.need(&Token::Colon)?;
            pairs.push((name, self.expression(0)?));
            if self.take(&Token::RBrace) {
                return Ok(Ast::Map(pairs));
            }
            self.need(&Token::Comma)?;
        }
    }

    fn call(&mut self, name: String) -> Result<Ast, String> {
        let mut args = Vec::new();
        while !self.take(&Token::RParen) {
            if !args.is_empty() {
                self.need(&Token::Comma)?;
            }
            args.push(self.expression(0)?);
        }
        Ok(Ast::Call(name, args))
    }
}
