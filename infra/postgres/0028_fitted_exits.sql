-- Exits that fit what there is to be exited: what a trade that was taken back, or a position that was
-- closed in another way, means for those that wait or are at the venue (0021_linked_exits.sql).
--
-- Invariants kept here, under the account's lock, in the transaction of the report:
--   * The exits of an entry's fills are for no more than it has filled and they have not.
--   * A leg whose trade was taken back is to exit those shares still: its sibling is for them too, and
--     where both had ended the two wait again. Not when anybody had cancelled them, nor after their time.
--   * Exits of an intraday position are for no more than it has open: beyond, they would open the other
--     way, and keep margin for it.
-- The newest pair that waits gives way first; what is at the venue is cancelled there and waits again
-- for what is left.

CREATE INDEX orders_legs ON ledger.orders (user_id, symbol)
  WHERE leg IS NOT NULL AND status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING');

-- Whether a cancel of an order is on its way to the venue, or will be.
CREATE FUNCTION ledger.is_leaving(o ledger.orders) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(o.pending_change = 'CANCEL', false) OR ledger.cancel_waits(o)
$$;

-- What each group of exits may still fill. A leg that waits knows it: what is at the venue beside it may
-- be for more, and is then being cancelled.
CREATE FUNCTION ledger.exit_rests(p_user bigint, p_groups bigint[])
RETURNS TABLE (exits bigint, at_venue boolean, rest bigint) LANGUAGE sql STABLE AS $$
  SELECT x.group_id, bool_or(x.status <> 'TRIGGER_PENDING'),
    coalesce(max(x.quantity) FILTER (WHERE x.status = 'TRIGGER_PENDING'),
      max(x.quantity - x.filled_quantity) FILTER (WHERE NOT ledger.is_leaving(x)), 0)
  FROM ledger.orders x WHERE x.user_id = p_user AND x.group_id = ANY (p_groups)
    AND ledger.is_working(x.status) GROUP BY x.group_id
$$;

-- The order whose fills an exit is for; NULL of a pair that was placed by itself.
CREATE FUNCTION ledger.entry_of(o ledger.orders) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.leg IS NULL THEN o.order_id ELSE o.parent_order_id END
$$;

-- The groups of exits of an entry, or of one of its legs: all of that entry; else the leg's own.
CREATE FUNCTION ledger.exits_beside(o ledger.orders) RETURNS bigint[] LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN ledger.entry_of(o) IS NULL THEN ARRAY[o.group_id]
    ELSE (SELECT array_agg(DISTINCT x.group_id) FROM ledger.orders x WHERE x.user_id = o.user_id
      AND x.parent_order_id = ledger.entry_of(o) AND x.leg IS NOT NULL) END
$$;

-- Shares that those exits should be for and are not: what the entry filled, or what the pair was placed
-- for, less what has filled of them and what may. Below zero when they are for too many.
CREATE FUNCTION ledger.exits_lack(o ledger.orders) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE v_groups bigint[] := ledger.exits_beside(o); v_whole bigint;
BEGIN
  SELECT x.filled_quantity INTO v_whole FROM ledger.orders x WHERE x.order_id = ledger.entry_of(o);
  IF NOT FOUND THEN
    SELECT (e.body::json #>> '{order,quantity}')::bigint INTO STRICT v_whole
      FROM ledger.orders x JOIN ledger.ledger_event e ON e.user_id = x.user_id AND e.seq = x.placed_seq
      WHERE x.order_id = o.group_id;
  END IF;
  RETURN v_whole - (SELECT coalesce(sum(x.filled_quantity), 0) FROM ledger.orders x
      WHERE x.user_id = o.user_id AND x.group_id = ANY (v_groups))
    - (SELECT coalesce(sum(r.rest), 0) FROM ledger.exit_rests(o.user_id, v_groups) r);
END $$;

-- Exits of those groups are for that much less, because of what became of the order p_of as it is now.
CREATE FUNCTION ledger.shrink_exits(p_of ledger.orders, p_groups bigint[], p_quantity bigint,
    p_cause text, p_today date, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE g record; s ledger.orders; v_left bigint := p_quantity; v_less bigint;
BEGIN
  FOR g IN SELECT r.* FROM ledger.exit_rests(p_of.user_id, p_groups) r WHERE r.rest > 0
    ORDER BY r.at_venue, r.exits DESC
  LOOP
    EXIT WHEN v_left <= 0;
    v_less := least(v_left, g.rest);
    v_left := v_left - v_less;
    FOR s IN SELECT x.* FROM ledger.orders x WHERE x.user_id = p_of.user_id AND x.group_id = g.exits
      AND ledger.is_working(x.status) ORDER BY x.order_id
    LOOP
      IF s.status <> 'TRIGGER_PENDING' THEN
        PERFORM ledger.cancel_late(p_of, s, p_today, p_now);
      ELSIF v_less >= s.quantity THEN
        PERFORM ledger.book_leg(s, s, 'CANCELLED', p_cause, p_of.order_id, p_now);
      ELSE
        PERFORM ledger.book_leg(s, ledger.resized_leg(s, s.quantity - v_less), 'MODIFIED', p_cause,
          p_of.order_id, p_now);
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- Cancels a leg at the venue that is for more than it should be, by what became of p_of.
CREATE FUNCTION ledger.cancel_late(p_of ledger.orders, s ledger.orders, p_today date,
    p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF ledger.is_leaving(s) THEN RETURN; END IF;
  PERFORM ledger.request_change(s.user_id, s.order_id, 'late:' || p_of.order_id || '-' || p_of.version,
    '', NULL, NULL, NULL, NULL, '[]', p_today, p_now, NULL, 0);
END $$;

-- What a leg that ended without a sibling may wait again for: its rest, as far as it is there.
CREATE FUNCTION ledger.rest_alone(n ledger.orders) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT greatest(0, least(n.quantity - n.filled_quantity, ledger.exits_lack(n), ledger.open_to_exit(n)))
$$;

-- The latest exits of a leg's group, the stop first.
CREATE FUNCTION ledger.latest_legs(o ledger.orders) RETURNS SETOF ledger.orders
LANGUAGE sql STABLE AS $$
  SELECT DISTINCT ON (x.leg) x.* FROM ledger.orders x
  WHERE x.user_id = o.user_id AND x.group_id = o.group_id ORDER BY x.leg, x.order_id DESC
$$;

-- Whether somebody had cancelled exits of a leg's group, or their time is over.
CREATE FUNCTION ledger.exits_given_up(o ledger.orders, p_now timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT o.expires_at <= p_now OR EXISTS (SELECT FROM ledger.orders x, unnest(x.change_keys) AS k (key)
    WHERE x.user_id = o.user_id AND x.group_id = o.group_id AND k.key LIKE 'cancel %'
      AND k.key NOT LIKE 'cancel late:%')
$$;

-- Part of what a leg had filled was taken back, b being what it was: those shares are to be exited.
CREATE FUNCTION ledger.restore_exits(b ledger.orders, n ledger.orders, p_today date, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE s ledger.orders; v_back bigint; v_rest bigint := n.quantity - n.filled_quantity;
BEGIN
  IF ledger.exits_given_up(n, p_now) THEN RETURN; END IF;
  v_back := greatest(0, least(b.filled_quantity - n.filled_quantity, ledger.exits_lack(n)));
  SELECT * INTO s FROM ledger.waiting_sibling(n);
  IF NOT ledger.is_working(n.status) THEN
    -- One that ends with this report, and alone, is followed as every leg that ends, for all its rest.
    IF v_back > 0 AND (s.order_id IS NOT NULL OR NOT ledger.is_working(b.status)) THEN
      PERFORM ledger.wait_again_for(n, v_back, p_now);
    END IF;
  ELSIF s.order_id IS NOT NULL THEN
    v_rest := s.quantity + v_back;
    IF v_back > 0 THEN
      PERFORM ledger.book_leg(s, ledger.resized_leg(s, v_rest), 'MODIFIED', 'EXIT_BUSTED', n.order_id, p_now);
    END IF;
  ELSIF NOT ledger.is_leaving(n) THEN
    v_rest := greatest(0, v_rest + least(0, ledger.exits_lack(n)));
    SELECT * INTO s FROM ledger.latest_legs(n) x
      WHERE x.leg <> n.leg AND x.reason_code = 'SIBLING_FILLED' AND v_rest > 0;
    IF FOUND THEN
      s := ledger.leg_of(s, '{"stance": "STANDS_BY"}', v_rest);
      PERFORM ledger.keep_account(ledger.place_leg(ledger.locked_account(n.user_id), s, 'EXIT_BUSTED',
        n.order_id, p_now));
    END IF;
  END IF;
  IF ledger.is_working(n.status) AND v_rest < n.quantity - n.filled_quantity THEN
    PERFORM ledger.cancel_late(n, n, p_today, p_now);
  END IF;
END $$;

-- Exits for shares that a leg n which has ended did not exit after all: what waits of its group is for
-- them too; without that the pair waits again, beside what is at the venue as a group of its own.
CREATE FUNCTION ledger.wait_again_for(n ledger.orders, p_quantity bigint, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE s ledger.orders; g record; v_group bigint := n.group_id;
BEGIN
  SELECT * INTO g FROM ledger.exit_rests(n.user_id, ARRAY[n.group_id]);
  IF NOT g.at_venue THEN  -- some wait; unknown of a group that has ended
    FOR s IN SELECT x.* FROM ledger.orders x WHERE x.user_id = n.user_id AND x.group_id = n.group_id
      AND x.status = 'TRIGGER_PENDING' ORDER BY x.order_id
    LOOP
      PERFORM ledger.book_leg(s, ledger.resized_leg(s, s.quantity + p_quantity), 'MODIFIED',
        'EXIT_BUSTED', n.order_id, p_now);
    END LOOP;
    RETURN;
  END IF;
  IF g.at_venue THEN v_group := NULL; END IF;
  FOR s IN SELECT * FROM ledger.latest_legs(n) LOOP
    s := ledger.leg_of(s, CASE s.leg WHEN 'STOP' THEN '{"stance": "LEADS"}'
      ELSE '{"stance": "FOLLOWS"}' END::jsonb, p_quantity);
    v_group := coalesce(v_group, s.order_id);  -- the first is the stop
    s.group_id := v_group;
    PERFORM ledger.keep_account(ledger.place_leg(ledger.locked_account(n.user_id), s, 'EXIT_BUSTED',
      n.order_id, p_now));
  END LOOP;
END $$;

-- Intraday exits in the share of an order whose fill was booked, or taken back, are for no more than
-- what their positions have open by now.
CREATE FUNCTION ledger.fit_exits(o ledger.orders, p_today date, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE g record; v_more bigint;
BEGIN
  FOR g IN SELECT x.side, x.trade_date, array_agg(DISTINCT x.group_id) AS groups
    FROM ledger.orders x WHERE x.user_id = o.user_id AND x.symbol = o.symbol AND x.leg IS NOT NULL
      AND x.product = 'MIS' AND x.status IN ('PENDING', 'OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
    GROUP BY x.side, x.trade_date
  LOOP
    SELECT sum(r.rest) - greatest(0, coalesce((SELECT CASE g.side WHEN 'SELL' THEN p.net ELSE -p.net END
        FROM ledger.position p WHERE p.user_id = o.user_id AND p.symbol = o.symbol
        AND p.trade_date = g.trade_date), 0)) INTO v_more
      FROM ledger.exit_rests(o.user_id, g.groups) r;
    IF v_more > 0 THEN
      PERFORM ledger.shrink_exits(x, g.groups, v_more, 'POSITION_CLOSED', p_today, p_now)
        FROM ledger.orders x WHERE x.order_id = o.order_id;
    END IF;
  END LOOP;
  PERFORM ledger.fit_closing_stops(o, p_now);
END $$;
