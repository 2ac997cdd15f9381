package io.dromedary.watch;

import java.util.Arrays;

/**
 * The watched directories as a tree, found by watch descriptor or by parent and name.
 *
 * <p>There may be millions, so a directory is no object but an index into parallel arrays: about 45 bytes and its
 * name. A node is in the tree below {@link #ROOT}, or the top of a detached subtree, or below one.
 */
final class WatchTable {
    static final int NONE = -1;
    static final int ROOT = 0;

    private static final int MIN_CAPACITY = 64;
    private static final int FREE = -2;

    private int size;
    private int used;
    private int freeList = NONE;

    private String[] name = new String[MIN_CAPACITY];
    private int[] wd = new int[MIN_CAPACITY];
    private int[] parent = new int[MIN_CAPACITY];
    private int[] firstChild = new int[MIN_CAPACITY];
    private int[] next = new int[MIN_CAPACITY];
    private int[] previous = new int[MIN_CAPACITY];
    private boolean[] incomplete = new boolean[MIN_CAPACITY];

    /** Open addressing with linear probing, twice the capacity of the arrays at least; each slot a node or NONE. */
    private int[] byWd;

    private int[] byName;

    WatchTable(int rootWd) {
        byWd = emptySlots(2 * MIN_CAPACITY);
        byName = emptySlots(2 * MIN_CAPACITY);
        newNode("", rootWd);
    }

    int size() {
        return size;
    }

    /** The node watched by this descriptor, or NONE. */
    int byWd(int descriptor) {
        for (int slot = wdSlot(descriptor); byWd[slot] != NONE; slot = slot + 1 & byWd.length - 1) {
            if (wd[byWd[slot]] == descriptor) {
                return byWd[slot];
            }
        }
        return NONE;
    }

    int child(int node, String childName) {
        for (int slot = nameSlot(node, childName); byName[slot] != NONE; slot = slot + 1 & byName.length - 1) {
            int candidate = byName[slot];
            if (parent[candidate] == node && name[candidate].equals(childName)) {
                return candidate;
            }
        }
        return NONE;
    }

    int add(int parentNode, String childName, int descriptor) {
        int node = newNode(childName, descriptor);
        attach(node, parentNode, childName);
        return node;
    }

    /** Takes the node and all below it out of the tree; its watches stay. */
    void detach(int node) {
        removeSlot(byName, nameSlot(parent[node], name[node]), node, false);
        if (previous[node] == NONE) {
            firstChild[parent[node]] = next[node];
        } else {
            next[previous[node]] = next[node];
        }
        if (next[node] != NONE) {
            previous[next[node]] = previous[node];
        }
        parent[node] = NONE;
        next[node] = NONE;
        previous[node] = NONE;
    }

    /** Puts a detached node there, with all below it. */
    void attach(int node, int newParent, String newName) {
        name[node] = newName;
        parent[node] = newParent;
        previous[node] = NONE;
        next[node] = firstChild[newParent];
        if (next[node] != NONE) {
            previous[next[node]] = node;
        }
        firstChild[newParent] = node;
        insert(byName, nameSlot(newParent, newName), node);
    }

    /** Forgets a node without children. */
    void remove(int node) {
        if (parent[node] >= 0) {
            detach(node);
        }
        removeSlot(byWd, wdSlot(wd[node]), node, true);
        name[node] = null;
        parent[node] = FREE;
        next[node] = freeList;
        freeList = node;
        size--;
    }

    int wd(int node) {
        return wd[node];
    }

    int parent(int node) {
        return parent[node];
    }

    String name(int node) {
        return name[node];
    }

    int firstChild(int node) {
        return firstChild[node];
    }

    int nextSibling(int node) {
        return next[node];
    }

    boolean isIncomplete(int node) {
        return incomplete[node];
    }

    /** Remembers that the node may lack children: its directory has to be listed again once it can be found. */
    void setIncomplete(int node, boolean value) {
        incomplete[node] = value;
    }

    /** The topmost node above this one, or itself: ROOT, or the top of a detached subtree. */
    int top(int node) {
        int top = node;
        while (parent[top] >= 0) {
            top = parent[top];
        }
        return top;
    }

    boolean isFree(int node) {
        return parent[node] == FREE;
    }

    boolean isAtOrBelow(int node, int ancestor) {
        int at = node;
        while (at >= 0) {
            if (at == ancestor) {
                return true;
            }
            at = parent[at];
        }
        return false;
    }

    /** The path from the root, or null when the node is in a detached subtree. */
    String path(int node) {
        if (node == ROOT) {
            return "";
        }
        StringBuilder path = new StringBuilder();
        return prependTo(path, node) ? path.toString() : null;
    }

    private boolean prependTo(StringBuilder path, int node) {
        int above = parent[node];
        if (above < 0) {
            return false;
        }
        if (above != ROOT) {
            if (!prependTo(path, above)) {
                return false;
            }
            path.append('/');
        }
        path.append(name[node]);
        return true;
    }

    private int newNode(String nodeName, int descriptor) {
        int node = freeList;
        if (node != NONE) {
            freeList = next[node];
        } else {
            if (used == name.length) {
                grow();
            }
            node = used++;
        }
        name[node] = nodeName;
        wd[node] = descriptor;
        parent[node] = NONE;
        firstChild[node] = NONE;
        next[node] = NONE;
        previous[node] = NONE;
        incomplete[node] = false;
        insert(byWd, wdSlot(descriptor), node);
        size++;
        return node;
    }

    private void grow() {
        int capacity = name.length + (name.length >> 1);
        name = Arrays.copyOf(name, capacity);
        wd = Arrays.copyOf(wd, capacity);
        parent = Arrays.copyOf(parent, capacity);
        firstChild = Arrays.copyOf(firstChild, capacity);
        next = Arrays.copyOf(next, capacity);
        previous = Arrays.copyOf(previous, capacity);
        incomplete = Arrays.copyOf(incomplete, capacity);
        if (capacity * 3L > byWd.length * 2L) {
            byWd = emptySlots(2 * byWd.length);
            byName = emptySlots(2 * byName.length);
            // only when the free list is empty, so every index is a node
            for (int node = 0; node < used; node++) {
                insert(byWd, wdSlot(wd[node]), node);
                if (parent[node] >= 0) {
                    insert(byName, nameSlot(parent[node], name[node]), node);
                }
            }
        }
    }

    private int wdSlot(int descriptor) {
        return slot(descriptor, byWd.length);
    }

    private int nameSlot(int node, String childName) {
        return slot(node * 31 + childName.hashCode(), byName.length);
    }

    private static int slot(int hash, int length) {
        int mixed = hash * 0x9e3779b9;
        return (mixed ^ mixed >>> 15) & length - 1;
    }

    private static int[] emptySlots(int length) {
        int[] slots = new int[length];
        Arrays.fill(slots, NONE);
        return slots;
    }

    private static void insert(int[] slots, int home, int node) {
        int slot = home;
        while (slots[slot] != NONE) {
            slot = slot + 1 & slots.length - 1;
        }
        slots[slot] = node;
    }

    /** Empties the node's slot and moves up those that a search would no longer reach behind the gap. */
    private void removeSlot(int[] slots, int home, int node, boolean isByWd) {
        int mask = slots.length - 1;
        int gap = home;
        while (slots[gap] != node) {
            gap = gap + 1 & mask;
        }
        slots[gap] = NONE;
        for (int slot = gap + 1 & mask; slots[slot] != NONE; slot = slot + 1 & mask) {
            int other = slots[slot];
            int otherHome = isByWd ? wdSlot(wd[other]) : nameSlot(parent[other], name[other]);
            if ((slot - otherHome & mask) >= (slot - gap & mask)) {
                slots[gap] = other;
                slots[slot] = NONE;
                gap = slot;
            }
        }
    }
}
