-- What a report of the venue claims, also where it comes before one that it follows from: a fill of a
-- change whose acceptance is not told yet, an ending ahead of fills that it counts (CumQty, tag 14).
--
-- Invariants:
--   * No order ends, and no hold is freed, while the venue counts more of it as filled than we do.
--   * What a session lost for good has a way out: once the day is over the venue's "unknown" ends it.

-- What an order becomes when the change in flight is accepted. Not more than is filled: it is full.
CREATE FUNCTION ledger.replaced_as(o ledger.orders) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN o.pending_quantity <= o.filled_quantity THEN 'REPLACED_DOWN' ELSE 'REPLACED' END
$$;

-- The happening a report claims, or NULL when it says nothing new.
CREATE FUNCTION ledger.happening_of(o ledger.orders, p_exec_type text, p_ord_status text,
    p_quantity bigint, p_cumulative bigint, p_request integer, p_reject_code integer, p_today date)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN p_exec_type = 'F' AND p_quantity >= o.quantity - o.filled_quantity THEN 'FULLY_FILLED'
    WHEN p_exec_type = 'F' THEN 'PARTLY_FILLED'
    -- A refused change may have named the venue's number before; an ending told twice is nothing new.
    WHEN p_exec_type = '0' THEN CASE WHEN 'PENDING' = o.status OR o.venue_order_id IS NULL
      THEN 'ACKNOWLEDGED' END
    -- Nor is the ending of one that we ended, at the venue's word that it knows it no more.
    WHEN p_exec_type IN ('4', 'C') AND o.status IN ('CANCELLED', 'EXPIRED') THEN NULL
    WHEN p_exec_type = '4' THEN ledger.cancel_of(o)
    WHEN p_exec_type = 'C' THEN 'EXPIRED'
    -- 103=6: the venue has this ClOrdID already. It refuses the copy; the order itself lives on.
    WHEN p_exec_type = '8' THEN CASE WHEN o.status <> 'REJECTED'
      AND p_reject_code IS DISTINCT FROM 6 THEN 'REJECTED' END
    WHEN p_exec_type = '5' THEN CASE WHEN o.pending_change = 'MODIFY' AND o.request = p_request
      THEN ledger.replaced_as(o) END
    -- 102=1: the venue has no such order. The cancel followed the order on its session, so an order
    -- that the venue never spoke of did not arrive, and won't: what sends it again looks for its cancel.
    -- One of a day gone by has ended there, whatever became of the report that said so.
    WHEN p_exec_type = '9' THEN CASE WHEN o.request <> p_request THEN NULL
      WHEN o.pending_change = 'CANCEL' AND p_reject_code = 1 AND ledger.is_working(o.status)
        AND (o.venue_order_id IS NULL AND o.status = 'PENDING' OR o.trade_date < p_today)
        THEN 'CANCELLED'
      WHEN o.pending_change IS NOT NULL THEN 'CHANGE_REFUSED' END
    WHEN p_exec_type <> 'I' OR NOT ledger.is_working(o.status) THEN NULL
    -- 103=5: it has no such order. Until the day is over that may still be on its way. CumQty is
    -- of no order there.
    WHEN p_ord_status = '8' AND p_reject_code = 5 THEN CASE WHEN p_request = o.accepted_request
      AND o.trade_date < p_today AND o.pending_change IS NULL THEN 'EXPIRED' END
    -- An answer to our question: it may tell of an ending, never of fills we have yet to be told of.
    WHEN p_cumulative = o.filled_quantity THEN
      CASE WHEN p_ord_status = '0' AND o.status = 'PENDING' THEN 'ACKNOWLEDGED'
        WHEN p_ord_status = '4' THEN ledger.cancel_of(o)
        WHEN p_ord_status = 'C' THEN 'EXPIRED'
        WHEN p_ord_status = '8' THEN 'REJECTED' END
  END
$$;

-- Whether a trade or an ending could only be told of an order whose change in flight was accepted: it
-- bears the change's ClOrdID, which is the order's from then on (FIX 4.4 volume 4, ClOrdID), or leaves
-- open (OrdStatus 1) what only the change has.
CREATE FUNCTION ledger.was_replaced(o ledger.orders, p_exec_type text, p_ord_status text,
    p_quantity bigint, p_request integer)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(o.pending_change = 'MODIFY' AND p_exec_type IN ('F', '4', 'C')
    AND (p_request = o.request OR p_exec_type = 'F' AND p_ord_status = '1'
      AND o.filled_quantity + p_quantity BETWEEN o.quantity AND o.pending_quantity - 1), false)
$$;

-- Books that the change in flight was accepted, ahead of the report that says so, which then says
-- nothing new.
CREATE FUNCTION ledger.replace_first(a ledger.account, o ledger.orders, p_today date, p_now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_next text;
BEGIN
  SELECT t.next INTO STRICT v_next FROM ledger.order_transition t
    WHERE t.status = o.status AND t.happening = ledger.replaced_as(o);
  PERFORM ledger.book_change(a, o, ledger.replaced_as(o), v_next, o.request, NULL, NULL, '', p_now);
  IF o.leg IS NOT NULL OR o.exits IS NOT NULL THEN PERFORM ledger.follow_exits(o, p_today, p_now); END IF;
END $$;

-- The ending of a working order that the venue counts more of as filled than we have been told: it
-- waits, as it came, for those fills.
CREATE TABLE ledger.early_ending (
  order_id       bigint PRIMARY KEY,
  user_id        bigint NOT NULL,
  session        text NOT NULL,
  position       bigint NOT NULL,
  request        integer NOT NULL,
  exec_id        text NOT NULL,
  exec_type      text NOT NULL,
  ord_status     text NOT NULL,
  venue_order_id text NOT NULL,
  cumulative     bigint NOT NULL,             -- CumQty(14): what must have been booked before
  trade_date     date NOT NULL,
  settles_on     date NOT NULL,
  transacted     timestamptz NOT NULL,
  code           text,
  text           text NOT NULL,
  report         text NOT NULL,
  at             timestamptz NOT NULL
);

-- Whether a report ends an order before fills that it counts.
CREATE FUNCTION ledger.comes_early(o ledger.orders, p_exec_type text, p_cumulative bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_exec_type IN ('4', 'C') AND ledger.is_working(o.status) AND p_cumulative > o.filled_quantity
$$;

-- Ends an order as the venue has told, once its fills are booked; forgets that where it has ended.
CREATE FUNCTION ledger.end_as_told(p_order bigint, p_today date, p_now timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE w ledger.early_ending; o ledger.orders;
BEGIN
  SELECT * INTO w FROM ledger.early_ending x WHERE x.order_id = p_order;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO STRICT o FROM ledger.orders x WHERE x.order_id = p_order;
  IF ledger.comes_early(o, w.exec_type, w.cumulative) THEN RETURN; END IF;
  DELETE FROM ledger.early_ending x WHERE x.order_id = p_order;
  IF ledger.is_working(o.status) THEN
    PERFORM ledger.apply_execution(w.session, w.position, w.user_id, w.order_id, w.request, w.exec_id,
      w.exec_type, w.ord_status, w.venue_order_id, 0, 0, w.cumulative, w.trade_date, w.settles_on,
      w.transacted, NULL, w.code, w.text, w.report, p_today, p_now, '');
  END IF;
END $$;
