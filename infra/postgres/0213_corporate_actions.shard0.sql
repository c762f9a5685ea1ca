-- What a company did to its shares, by ex-date: what charts of earlier days are adjusted by.
--
-- Invariant: a row is a fact of the exchange's notice; an import of the same share, day and kind replaces it.
CREATE TABLE market.corporate_action (
  token      integer NOT NULL,
  ex_date    date NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('SPLIT', 'BONUS', 'DIVIDEND')),
  -- SPLIT: so many new shares for so many old. BONUS: so many more for so many held. DIVIDEND: paise a
  -- share, and 1.
  given      bigint NOT NULL CHECK (given > 0),
  held       bigint NOT NULL CHECK (held > 0),
  source     text NOT NULL,
  PRIMARY KEY (token, ex_date, kind)
);
GRANT SELECT ON market.corporate_action TO outcry_app;
