-- Contract notes: what a trade date's trades cost in the end, and the difference to what was booked.
--
-- Invariants:
--   * Every fill leaves its account and trade date due for a note, in the fill's own transaction, and
--     only a note that covers it takes that away: a late fill makes a new version, however late. So do
--     shares delivered for a short position: they are charged for, and the note stands as it is.
--   * A version is written once and books, by charge, what it says less what is booked for that trade
--     date so far. After it the ledger and the note agree by charge, to the paisa.
--   * The event carries the sha256 of the note, so the account's hash chain covers the document.

CREATE TABLE ledger.contract_note (
  user_id    bigint NOT NULL,
  trade_date date NOT NULL,
  version    integer NOT NULL CHECK (version > 0),
  through    bigint NOT NULL,                 -- seq of the trade date's latest fill: it covers all up to it
  charges    bigint[] NOT NULL,               -- of the whole day, by ledger.charge_head 1 to 7
  body       text NOT NULL,                   -- the document; its bytes (and their hash) never change
  seq        bigint NOT NULL,                 -- of the event that booked the difference
  at         timestamptz NOT NULL,
  PRIMARY KEY (user_id, trade_date, version)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.contract_note
  FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

CREATE TABLE ledger.contract_note_due (       -- accounts to be charged and given a note for that day
  trade_date date NOT NULL,
  user_id    bigint NOT NULL,
  PRIMARY KEY (trade_date, user_id)
);

-- What the trade date's fills and the notes before have booked, by charge.
CREATE FUNCTION ledger.charges_booked(p_user bigint, p_trade_date date) RETURNS bigint[]
LANGUAGE sql STABLE AS $$
  SELECT array_agg(coalesce(b.amount, 0) ORDER BY h.head) FROM ledger.charge_head h LEFT JOIN (
    SELECT p.account, sum(p.amount)::bigint AS amount FROM (
        SELECT e.seq FROM ledger.execution e
          WHERE e.user_id = p_user AND e.trade_date = p_trade_date AND e.exec_type IN ('F', 'G')
        UNION ALL SELECT u.seq FROM ledger.trade_bust u
          WHERE u.user_id = p_user AND u.trade_date = p_trade_date
        UNION ALL
        SELECT n.seq FROM ledger.contract_note n
          WHERE n.user_id = p_user AND n.trade_date = p_trade_date) x
      JOIN ledger.posting p ON p.user_id = p_user AND p.seq = x.seq
      WHERE p.account LIKE 'charge:%' GROUP BY p.account) b ON b.account = h.account
  WHERE h.head <= 7
$$;

-- Books the note of everything the account traded that day up to the fill p_through. The document is
-- computed from what was read before, so a fill that came in between makes it STALE: compute it again.
-- outcome: BOOKED, REPLAY (that version is written already) or STALE.
CREATE FUNCTION ledger.book_contract_note(p_user bigint, p_trade_date date, p_through bigint,
    p_charges bigint[], p_body text, p_today date, p_now timestamptz)
RETURNS TABLE (outcome text, version integer, seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; n ledger.contract_note; v_through bigint; v_booked bigint[];
  v_differences bigint[] := '{0,0,0,0,0,0,0}'; m record;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  SELECT max(e.seq) INTO v_through FROM ledger.trade e
    WHERE e.user_id = p_user AND e.trade_date = p_trade_date;
  IF v_through IS DISTINCT FROM p_through THEN
    RETURN QUERY SELECT 'STALE'::text, 0, 0::bigint;
    RETURN;
  END IF;
  SELECT * INTO n FROM ledger.contract_note x WHERE x.user_id = p_user AND x.trade_date = p_trade_date
    ORDER BY x.version DESC LIMIT 1;
  DELETE FROM ledger.contract_note_due d WHERE d.trade_date = p_trade_date AND d.user_id = p_user;
  IF n.through = v_through THEN
    RETURN QUERY SELECT 'REPLAY'::text, n.version, n.seq;
    RETURN;
  END IF;
  v_booked := ledger.charges_booked(p_user, p_trade_date);
  FOR i IN 1..7 LOOP v_differences[i] := p_charges[i] - v_booked[i]; END LOOP;
  n.version := coalesce(n.version, 0) + 1;
  SELECT * INTO m FROM ledger.move_cash(a, 'CONTRACT_NOTE', NULL, 0, p_now,
    '"contract_note":' || json_build_object('trade_date', p_trade_date, 'version', n.version,
      'through', p_through, 'charges', p_charges, 'differences', v_differences,
      'sha256', encode(sha256(convert_to(p_body, 'UTF8')), 'hex'))::text,
    NULL, ledger.charge_accounts(), v_differences);
  INSERT INTO ledger.contract_note VALUES (p_user, p_trade_date, n.version, p_through, p_charges,
    p_body, m.event_seq, (m.account).at);
  RETURN QUERY SELECT 'BOOKED'::text, n.version, m.event_seq;
END $$;

-- The depository's charge on a trade date's sales out of the demat account: once for each security of
-- which more was sold than bought that day, whatever the product, and of which settled shares left:
-- those bought on p_settled_through or before. Returns how many it booked now. Not part of the note.
CREATE FUNCTION ledger.charge_depository(p_user bigint, p_trade_date date, p_settled_through date,
    p_charge bigint, p_tax bigint, p_today date, p_now timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE a ledger.account; v_symbol text; m record; v_booked integer := 0;
BEGIN
  a := ledger.lock_account(p_user, p_today, p_now);
  FOR v_symbol IN
    SELECT s.symbol FROM ledger.lot_sale s
      WHERE s.user_id = p_user AND s.trade_date = p_trade_date AND s.acquired <= p_settled_through
        AND NOT EXISTS (SELECT FROM ledger.job_entry j WHERE j.job = 'DEPOSITORY'
          AND j.day = p_trade_date AND j.user_id = p_user AND j.instrument = s.symbol)
      GROUP BY s.symbol
      HAVING (SELECT sum(CASE o.side WHEN 'SELL' THEN e.quantity ELSE -e.quantity END)
        FROM ledger.trade e JOIN ledger.orders o USING (order_id) WHERE e.user_id = p_user
          AND e.trade_date = p_trade_date AND o.symbol = s.symbol) > 0
      ORDER BY s.symbol LOOP
    SELECT * INTO m FROM ledger.move_cash(a, 'DP_CHARGED', NULL, 0, p_now,
      '"depository":' || json_build_object('symbol', v_symbol, 'trade_date', p_trade_date,
        'charge', p_charge, 'tax', p_tax)::text,
      NULL, '{charge:dp,charge:gst}', ARRAY[p_charge, p_tax]);
    a := m.account;
    INSERT INTO ledger.job_entry VALUES ('DEPOSITORY', p_trade_date, p_user, v_symbol, m.event_seq);
    v_booked := v_booked + 1;
  END LOOP;
  RETURN v_booked;
END $$;

GRANT EXECUTE ON FUNCTION ledger.book_contract_note, ledger.charge_depository TO outcry_app;
